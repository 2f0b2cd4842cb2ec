#!/bin/sh
# Installs the mmreview of this folder for the person who runs it, or takes it away again.
# POSIX shell and the commands that every Linux has (also BusyBox). Exit code 2 is a refusal.
#
# Each version has a folder and a command of its own (mmreview-VERSION); the plain command, the
# menu entry, icons and the MIME type belong to the version that was installed last, and go back
# to the newest of the others when that one goes. Only files that were installed are removed.
set -eu
umask 022

refuse() {
    printf 'mmreview: %s\n' "$1" >&2
    exit 2
}

[ -n "${HOME:-}" ] || refuse "HOME is not set: it is not known for whom to install."
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
if [ ! -f "$here/VERSION" ] || [ ! -f "$here/files.txt" ]; then
    refuse "$here is not complete: unpack the archive again."
fi
name=mmreview-$(cat "$here/VERSION")
share=${XDG_DATA_HOME:-$HOME/.local/share}
bin=$HOME/.local/bin

usage() {
    cat <<END
install.sh [--prefix FOLDER]     install $name for you, into FOLDER
                                 (else ~/.local/opt/$name; "." leaves it where it is now)
install.sh --uninstall           remove it; projects, settings and logs stay
END
}

# The folder $1 from the root on; itself where it is there and reached through links.
absolute() {
    case $1 in
        /*) path=$1 ;;
        *) path=$PWD/$1 ;;
    esac
    if [ -d "$path" ]; then (CDPATH='' cd -- "$path" && pwd -P); else printf '%s\n' "$path"; fi
}

# The folder of the version that the link $1 starts; nothing if it is no link of ours.
linked_folder() {
    [ -L "$1" ] || return 0
    case $(readlink "$1") in
        */program/mmreview) readlink "$1" | sed 's|/program/mmreview$||' ;;
    esac
}

renew_databases() {
    if command -v update-mime-database >/dev/null && [ -d "$share/mime/packages" ]; then
        update-mime-database "$share/mime" >/dev/null 2>&1 || true
    fi
    if command -v update-desktop-database >/dev/null && [ -d "$share/applications" ]; then
        update-desktop-database -q "$share/applications" || true
    fi
}

# Let the plain command, the menu and the file manager start the version in the folder $1.
register() {
    mkdir -p "$bin" "$share/applications" ||
        refuse "$bin or $share/applications cannot be made: see who owns them."
    ln -sfn "$1/program/mmreview" "$bin/mmreview-$(cat "$1/VERSION")" ||
        refuse "$bin cannot be written."
    if [ ! -e "$bin/mmreview" ] && [ ! -L "$bin/mmreview" ] ||
        [ -n "$(linked_folder "$bin/mmreview")" ]; then
        ln -sfn "$1/program/mmreview" "$bin/mmreview"
    else
        printf '%s is something else and was left alone.\n' "$bin/mmreview"
    fi
    cp -R "$1/share/icons" "$1/share/mime" "$share/"
    while IFS= read -r line; do
        case $line in
            Exec=*)
                printf 'TryExec=%s\n' "$1/program/mmreview"
                printf 'Exec="%s" %%f\n' "$1/program/mmreview"
                ;;
            *) printf '%s\n' "$line" ;;
        esac
    done <"$1/share/applications/mmreview.desktop" >"$share/applications/mmreview.desktop"
    renew_databases
}

# Remove from the folder $1 what was installed into it; what somebody put there stays.
remove_listed() {
    (cd "$1" && tr '\n' '\0' <files.txt | xargs -0 rm -f --)
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

copy_to_target() {
    if [ -e "$target" ] && [ ! -f "$target/files.txt" ] && [ -n "$(ls -A "$target")" ]; then
        refuse "$target is there and is no mmreview: name another folder with --prefix."
    fi
    parent=$(dirname -- "$target")
    mkdir -p "$parent" 2>/dev/null || true
    if [ ! -d "$parent" ] || [ ! -w "$parent" ]; then
        refuse "$parent cannot be written by you: name another folder with --prefix."
    fi
    needed=$(du -sk "$here" | cut -f1)
    free=$(df -Pk "$parent" | awk 'NR == 2 { print $4 }')
    [ "$free" -gt "$needed" ] || refuse "$parent has $((free / 1024)) MB free and \
$((needed / 1024)) MB are needed: make room, or name another folder with --prefix."
    part=$parent/.$name.$$
    trap 'rm -rf "$part"' EXIT
    trap 'exit 2' HUP INT TERM
    printf 'Copying %s MB to %s ...\n' "$((needed / 1024))" "$target"
    mkdir "$part"
    for item in program share install.sh README.txt VERSION files.txt; do
        cp -RP "$here/$item" "$part/" ||
            refuse "$here/$item could not be copied to $parent; nothing was changed."
    done
    if [ -f "$target/files.txt" ]; then remove_listed "$target"; fi
    if [ -d "$target" ]; then # empty, or with files of somebody's own
        cp -RP "$part/." "$target/"
    else
        mv "$part" "$target"
    fi
}

install() {
    target=$(absolute "${prefix:-$HOME/.local/opt/$name}")
    case $target in
        *[\"\\\`\$%]* | *'
'*) refuse "The folder's name has a character that a menu entry cannot hold: $target" ;;
    esac
    # Another processor, or a C library older than that of the machine that built it.
    started=$("$here/program/mmreview" --version 2>&1) ||
        refuse "The program does not start on this system; nothing was changed: $started"
    if [ "$target" != "$here" ]; then copy_to_target; fi
    register "$target"
    printf '%s is installed in %s\n' "$name" "$target"
    printf 'Remove it with: "%s" --uninstall\n' "$target/install.sh"
    case :$PATH: in
        *:"$bin":*) ;;
        *) printf 'The command is %s (that folder is not in your PATH).\n' "$bin/mmreview" ;;
    esac
}

# The folder of the newest version that is installed for this person; nothing if there is none.
newest() {
    printf '%s\n' "$bin"/mmreview-* | sort -V | while IFS= read -r link; do
        folder=$(linked_folder "$link")
        if [ -x "$folder/program/mmreview" ]; then printf '%s\n' "$folder"; fi
    done | tail -n 1
}

uninstall() {
    target=${prefix:-$(linked_folder "$bin/$name")}
    [ -n "$target" ] || refuse "$name is not installed for you: $bin/$name is not there."
    [ -f "$target/files.txt" ] || refuse "$target holds no mmreview."
    [ -w "$target" ] || refuse "$target cannot be written by you."
    shared=$(cd "$target/share" && find icons mime applications -type f)
    current=$(linked_folder "$bin/mmreview")
    rm -f "$bin/$name"
    if [ "$current" = "$target" ]; then rm -f "$bin/mmreview"; fi
    remove_listed "$target"
    if [ -x "$current/program/mmreview" ]; then
        other=$current
    else
        other=$(newest)
        if [ -n "$other" ]; then register "$other"; fi
    fi
    if [ -n "$other" ]; then
        printf '%s is removed; the menu starts %s\n' "$name" "$other"
    else
        printf '%s\n' "$shared" | while IFS= read -r file; do rm -f "$share/$file"; done
        renew_databases
        printf '%s is removed; projects, settings and logs are where they were.\n' "$name"
    fi
    if [ -e "$target" ]; then
        printf 'What was not installed is left in %s\n' "$target"
    fi
}

prefix=
wish=install
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            if [ $# -lt 2 ] || [ -z "$2" ]; then refuse "--prefix wants a folder."; fi
            prefix=$(absolute "$2")
            shift
            ;;
        --uninstall) wish=uninstall ;;
        -h | --help) wish=usage ;;
        *) refuse "$1 is not understood; --help says what is." ;;
    esac
    shift
done
$wish
