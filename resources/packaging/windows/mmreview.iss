; The Windows installer, for Inno Setup 6.3 or newer. After python -m mmreview.installer:
;
;     iscc /DVersion=0.1.0 resources\packaging\windows\mmreview.iss
;
; Silent: mmreview-setup.exe /VERYSILENT /NORESTART /CURRENTUSER [/DIR="D:\mmreview"] [/LOG=install.log]
; for all users (wants administrator rights): /ALLUSERS in place of /CURRENTUSER
; Remove: unins000.exe /VERYSILENT in the program's folder
;
; Not run anywhere yet: see ..\README.md.

#define Name "mmreview"
#ifndef Version
  #define Version "0.1.0"
#endif
#ifndef Dist
  #define Dist "..\..\..\dist\mmreview"
#endif

[Setup]
; The same for every version, so that a newer one takes the place of an older one.
AppId={{7B1A4D0E-52C9-4C39-9A34-6D5E2F0B8C17}
AppName={#Name}
AppVersion={#Version}
AppPublisher={#Name}
; Per user without administrator rights: {autopf} is then %LOCALAPPDATA%\Programs.
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=commandline
DefaultDirName={autopf}\{#Name}
DisableProgramGroupPage=yes
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
CloseApplications=yes
ChangesAssociations=yes
UninstallDisplayIcon={app}\mmreview.exe
OutputDir=..\..\..\dist
OutputBaseFilename={#Name}-setup
Compression=lzma2/fast
SolidCompression=no
WizardStyle=modern

[InstallDelete]
; No library of an older version may stay beside the newer ones.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Dist}\*"; DestDir: "{app}"; Flags: recursesubdirs createallsubdirs ignoreversion

[Icons]
Name: "{autoprograms}\{#Name}"; Filename: "{app}\mmreview.exe"

[Registry]
; A project is a folder, and Explorer opens folders itself. So its menu gets one entry more, on
; folders that are named like projects.
Root: HKA; Subkey: "Software\Classes\Directory\shell\{#Name}"; ValueType: string; ValueData: "Open in {#Name}"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Directory\shell\{#Name}"; ValueType: string; ValueName: "AppliesTo"; ValueData: "System.FileName:""*.mmreview"""
Root: HKA; Subkey: "Software\Classes\Directory\shell\{#Name}"; ValueType: string; ValueName: "Icon"; ValueData: "{app}\mmreview.exe"
Root: HKA; Subkey: "Software\Classes\Directory\shell\{#Name}\command"; ValueType: string; ValueData: """{app}\mmreview.exe"" ""%1"""

[Run]
Filename: "{app}\mmreview.exe"; Description: "Start {#Name}"; Flags: nowait postinstall skipifsilent

; No [UninstallDelete]: only what was installed goes. Projects, settings and logs are people's own.
