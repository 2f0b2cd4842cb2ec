"""Every act a person can start: its words, its key, its menu; one table that menus, shortcuts and
the overview of keys are made from.

Keys are shortcuts of the window, so that they work wherever the focus is; a field that takes text
keeps the characters for itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from mmreview.translation import tr


@dataclass(frozen=True, slots=True)
class Act:
    """One row of the table. ``name`` is the slot's key and ``ui.action.<name>`` its words;
    ``needs`` is ``""``, ``project`` or ``write`` (a project that can be written)."""

    name: str
    keys: tuple[str, ...] = ()
    needs: str = "project"
    checkable: bool = False


_LINE = Act("")

#: The acts that open a dialog, wherever they stand; ``ui.rehearsal`` opens each once.
DIALOGS = (
    "new_project", "open_project", "import_cases", "export_labels", "near_duplicates",
    "queue_shares", "reader", "versions", "model", "insights", "audit_set", "search_model",
    "plan_labelling", "keys", "manual", "system_report", "about",
)

#: A menu's letter where it is no letter of the word: ``文件(&F)``.
_MNEMONIC = re.compile(r"\(&.\)")

#: Menu by menu, in order. An empty name is a separator.
MENUS: dict[str, tuple[Act, ...]] = {
    "file": (
        Act("new_project", ("Ctrl+Shift+N",), ""), Act("open_project", ("Ctrl+O",), ""),
        Act("open_demo", (), ""), _LINE, Act("import_cases", ("Ctrl+I",), "write"),
        Act("export_labels", ("Ctrl+E",)), Act("verify"), _LINE, Act("close_project", ("Ctrl+W",)),
        Act("quit", ("Ctrl+Q",), ""),
    ),
    "case": (
        Act("commit_and_next", ("Return", "Enter"), "write"), Act("next_case", ("N",)),
        Act("previous_case", ("P",)), _LINE, Act("undo", ("U", "Ctrl+Z"), "write"),
        Act("near_duplicates", ("Ctrl+D",), "write"),
        Act("search", ("Ctrl+F",)), Act("next_hit", ("F3",)), _LINE, Act("queue_shares"),
        Act("reader", (), ""),
    ),
    "finding": (
        Act("finding_up", ("Up",)), Act("finding_down", ("Down",)), _LINE,
        Act("state_present", ("1",), "write"), Act("state_absent", ("2",), "write"),
        Act("state_uncertain", ("3",), "write"), Act("state_not_assessable", ("4",), "write"),
        Act("state_unset", ("0",), "write"), _LINE, Act("basis_image", ("I",), "write"),
        Act("basis_report", ("R",), "write"), Act("basis_both", ("B",), "write"), _LINE,
        Act("advance", (), "", checkable=True),
    ),
    "view": (
        Act("zoom_in", ("+", "=")), Act("zoom_out", ("-",)), Act("fit", ("F",)),
        Act("actual_size", ("Z",)), Act("invert", ("V",)), Act("reset_image", ("X",)),
        Act("next_image", ("]",)), Act("previous_image", ("[",)), Act("overlay", ("O",)), _LINE,
        Act("maximise_image", ("Ctrl+1",)), Act("maximise_report", ("Ctrl+2",)),
        Act("text_larger", ("Ctrl++", "Ctrl+=")), Act("text_smaller", ("Ctrl+-",)), _LINE,
        Act("theme_dark", (), "", checkable=True), Act("theme_light", (), "", checkable=True),
        Act("theme_system", (), "", checkable=True), _LINE,
        Act("language_en", (), "", checkable=True), Act("language_zh_CN", (), "", checkable=True),
        _LINE, Act("full_screen", ("F11",), ""), _LINE,
        Act("back", ("Escape",)),
    ),
    "model": (
        Act("train", ("Ctrl+T",), "write"), Act("cancel_training", ("Ctrl+.",)),
        Act("versions", ("Ctrl+Shift+V",)), Act("model", ("Ctrl+Shift+M",)),
        Act("insights", ("Ctrl+Shift+I",)), Act("audit_set", ("Ctrl+Shift+A",)),
        Act("search_model"), Act("train_unlabelled", (), "write"), _LINE, Act("plan_labelling"),
    ),
    "help": (
        Act("keys", ("?",), ""), Act("manual", ("F1",), ""), _LINE, Act("system_report", (), ""),
        Act("about", (), ""),
    ),
}


class Actions(QObject):
    """The table as Qt actions on a window, in a menu bar."""

    def __init__(self, window: QWidget, slots: Mapping[str, Callable[..., object]]) -> None:
        super().__init__(window)
        self._actions: dict[str, QAction] = {}
        self._needs: dict[str, str] = {}
        for acts in MENUS.values():
            for act in acts:
                if act.name:
                    self._add(window, act, slots[act.name])

    def _add(self, window: QWidget, act: Act, slot: Callable[..., object]) -> None:
        action = QAction(tr(f"ui.action.{act.name}"), window)
        action.setObjectName(f"action.{act.name}")
        action.setShortcuts([QKeySequence(key) for key in act.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(act.checkable)
        action.triggered.connect(slot if act.checkable else lambda _=False, s=slot: s())
        window.addAction(action)
        self._actions[act.name] = action
        self._needs[act.name] = act.needs

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def fill(self, bar: QMenuBar) -> dict[str, QMenu]:
        """Make the menus; returns them by name, for what changes (recent projects)."""
        menus = {}
        for name, acts in MENUS.items():
            menu = bar.addMenu(tr(f"ui.menu.{name}"))
            menu.setObjectName(f"menu.{name}")
            for act in acts:
                menu.addAction(self._actions[act.name]) if act.name else menu.addSeparator()
            menus[name] = menu
        return menus

    def set_project(self, *, there: bool, writable: bool) -> None:
        """Turn off what needs a project, or one that can be written."""
        possible = {"": True, "project": there, "write": there and writable}
        for name, action in self._actions.items():
            action.setEnabled(possible[self._needs[name]])

    def overview(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Every key: (group, [(keys, words)])."""
        groups = []
        for menu, acts in MENUS.items():
            rows = [
                (self._keys(act.name), self._actions[act.name].text().replace("&", ""))
                for act in acts
                if act.keys
            ]
            title = _MNEMONIC.sub("", tr(f"ui.menu.{menu}")).replace("&", "")
            groups.append((title, rows))
        return groups

    def _keys(self, name: str) -> str:
        native = QKeySequence.SequenceFormat.NativeText
        words = [key.toString(native) for key in self._actions[name].shortcuts()]
        return " / ".join(dict.fromkeys(words))  # Chinese has one word for Return and Enter
