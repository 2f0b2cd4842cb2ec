"""The vocabulary of the synthetic reports: how radiologists say that something is there or not.

``{side}`` is filled with a laterality, ``{degree}`` with a severity, ``{device}`` with a device.
Written for this project; no sentence is taken from a real report.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmreview.demo.lesions import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    DEVICES,
    EDEMA,
    EFFUSION,
    FRACTURE,
    LESION,
    PNEUMOTHORAX,
)


@dataclass(frozen=True, slots=True)
class Wording:
    """How one finding is written. ``noun`` stands in lists of negations and in histories."""

    noun: tuple[str, ...]
    present: tuple[str, ...]
    hedged: tuple[str, ...]
    absent: tuple[str, ...]
    brief: tuple[str, ...]


WORDINGS: dict[str, Wording] = {
    CARDIOMEGALY: Wording(
        noun=("cardiomegaly", "cardiac enlargement"),
        present=(
            "There is {degree} cardiomegaly.", "The heart is {degree_adverb} enlarged.",
            "The cardiac silhouette is {degree_adverb} enlarged.", "Heart size is increased.",
            "The cardiothoracic ratio exceeds 0.5.",
            "Enlarged cardiomediastinal contour, with a left ventricular configuration.",
        ),
        hedged=(
            "Heart size is at the upper limit of normal.", "Borderline heart size.",
            "The heart may be slightly enlarged, accentuated by the projection.",
        ),
        absent=(
            "Heart size is normal.", "The heart is not enlarged.",
            "The cardiomediastinal silhouette is within normal limits.",
            "Normal heart size and mediastinal contours.", "Cardiac silhouette is unremarkable.",
        ),
        brief=("{degree} cardiomegaly", "enlarged heart"),
    ),
    EDEMA: Wording(
        noun=("pulmonary edema", "vascular congestion", "overt edema"),
        present=(
            "There is {degree} pulmonary edema.",
            "Perihilar haze and indistinct vessels, in keeping with {degree} interstitial edema.",
            "Pulmonary vascular congestion with septal lines.",
            "The vasculature is engorged and indistinct, consistent with fluid overload.",
            "Bilateral perihilar opacities in a pattern of edema.",
        ),
        hedged=(
            "Mild vascular prominence; early edema cannot be excluded.",
            "The interstitium is slightly prominent, possibly mild congestion.",
            "Question of mild interstitial edema.",
        ),
        absent=(
            "No pulmonary edema.", "Pulmonary vascularity is normal.",
            "No evidence of vascular congestion.", "The pulmonary vasculature is not engorged.",
        ),
        brief=("{degree} edema", "findings of congestive failure"),
    ),
    CONSOLIDATION: Wording(
        noun=("focal consolidation", "consolidation", "airspace disease"),
        present=(
            "There is consolidation in the {side} {zone} zone.",
            "Patchy airspace opacity in the {side} {zone} lung, concerning for pneumonia.",
            "{side_title} {zone} zone opacity with air bronchograms.",
            "New focal opacity projects over the {side} {zone} lung.",
            "Airspace disease is seen in the {side} {zone} zone.",
        ),
        hedged=(
            "Ill-defined {side} {zone} density may represent an early infiltrate.",
            "Faint opacity on the {side}, pneumonia cannot be excluded.",
            "Possible developing {side} {zone} zone infiltrate.",
        ),
        absent=(
            "No focal consolidation.", "The lungs are clear.", "No airspace opacity is seen.",
            "There is no focal infiltrate.", "Lungs are well aerated without consolidation.",
        ),
        brief=("{side} {zone} zone pneumonia", "{side} {zone} zone consolidation"),
    ),
    ATELECTASIS: Wording(
        noun=("atelectasis", "volume loss"),
        present=(
            "Linear atelectasis at the {side} base.", "{side_title} basilar atelectasis.",
            "Bandlike opacities at the {side} lung base reflect subsegmental atelectasis.",
            "Plate-like atelectasis in the {side} lower zone with mild volume loss.",
            "There is {degree} {side} basal atelectasis.",
        ),
        hedged=(
            "{side_title} basilar opacity is probably atelectasis.",
            "Streaky density at the {side} base, atelectasis or scar.",
            "Minimal {side} basal changes, likely from shallow inspiration.",
        ),
        absent=(
            "No atelectasis.", "The lung bases are clear.", "No volume loss is seen.",
            "Lungs are fully expanded.",
        ),
        brief=("{side} basal atelectasis", "bibasilar streaky atelectasis"),
    ),
    PNEUMOTHORAX: Wording(
        noun=("pneumothorax",),
        present=(
            "There is a {size} {side} pneumothorax.",
            "{side_title} apical pneumothorax, with the pleural line visible laterally.",
            "A visceral pleural line is seen on the {side}, consistent with pneumothorax.",
        ),
        hedged=(
            "Lucency at the {side} apex; a tiny pneumothorax cannot be excluded.",
            "A line at the {side} apex may be a skin fold or a small pneumothorax.",
        ),
        absent=(
            "No pneumothorax.", "There is no pneumothorax.", "No pneumothorax is identified.",
            "Negative for pneumothorax.",
        ),
        brief=("{side} pneumothorax",),
    ),
    EFFUSION: Wording(
        noun=("pleural effusion", "effusion", "pleural fluid"),
        present=(
            "There is a {size} {side} pleural effusion.",
            "{side_title} pleural effusion, {size}.",
            "Blunting of the {side} costophrenic angle, in keeping with an effusion.",
            "Layering {side} pleural fluid.",
            "The {side} hemidiaphragm is obscured by a {size} effusion.",
        ),
        hedged=(
            "Slight blunting of the {side} costophrenic angle, fluid or thickening.",
            "A trace {side} effusion is not excluded.",
            "Possible small {side} pleural effusion.",
        ),
        absent=(
            "No pleural effusion.", "The costophrenic angles are sharp.",
            "No effusion is seen.", "Pleural spaces are clear.", "There is no pleural fluid.",
        ),
        brief=("{size} {side} effusion", "{side} pleural effusion"),
    ),
    LESION: Wording(
        noun=("suspicious nodule", "pulmonary nodule", "mass"),
        present=(
            "A {mm} mm nodule projects over the {side} {zone} zone.",
            "Rounded opacity in the {side} {zone} lung, CT is recommended.",
            "There is a nodule in the {side} {zone} lung.",
            "{side_title} {zone} zone mass.",
        ),
        hedged=(
            "A small rounded density on the {side} may be a nipple shadow.",
            "Possible {side} nodule versus overlapping shadows.",
        ),
        absent=("No suspicious nodule.", "No pulmonary mass or nodule.", "No focal lung lesion."),
        brief=("{side} {zone} zone nodule, follow-up advised",),
    ),
    FRACTURE: Wording(
        noun=("acute fracture", "rib fracture"),
        present=(
            "Displaced fracture of a {side} rib.", "{side_title} rib fracture.",
            "There is cortical step-off of a {side} lateral rib, an acute fracture.",
        ),
        hedged=(
            "Irregularity of a {side} rib, fracture not excluded.",
            "Possible nondisplaced {side} rib fracture.",
        ),
        absent=(
            "No acute fracture.", "Bony structures are intact.", "No acute osseous abnormality.",
            "Visualized ribs are intact.",
        ),
        brief=("{side} rib fracture",),
    ),
    DEVICES: Wording(
        noun=("support device", "indwelling line"),
        present=("{device}",),
        hedged=("A linear density over the {side} chest may be external.",),
        absent=("No lines or tubes.", "No support devices are seen."),
        brief=("lines and tubes in place", "support devices as described"),
    ),
}

#: What each kind of device (``devices.KINDS``) is called.
DEVICES_SAID: dict[str, tuple[str, ...]] = {
    "tube": (
        "Endotracheal tube terminates 4 cm above the carina.",
        "ET tube and enteric tube are in standard position.",
        "The patient is intubated; tube tip in the mid trachea.",
    ),
    "line": (
        "Central venous catheter tip is at the cavoatrial junction.",
        "{side_title} PICC terminates in the SVC.", "A {side} jugular line ends in the SVC.",
    ),
    "pacemaker": (
        "Dual-lead pacemaker with leads in expected position.",
        "Left chest wall pacer, leads intact.",
    ),
    "wires": (
        "Median sternotomy wires are intact.", "Status post CABG with sternal wires and clips.",
    ),
    "drain": (
        "{side_title} chest tube is in place.", "A {side} pleural drain projects over the apex.",
    ),
}

REASONS = (
    "Shortness of breath.", "Cough and fever.", "Chest pain.", "Dyspnea for three days.",
    "Preoperative evaluation.", "Follow-up.", "Fall, pain on breathing.", "Hypoxia.",
    "Routine check.", "Weight loss.", "Evaluate for {noun}.", "Night sweats.",
    "Status post procedure, ?{noun}.", "Known heart failure, increasing dyspnea.",
    "Productive cough, {age} y/o.", "{age} year old {person} with dyspnea.",
)

HISTORIES = (
    "History of {noun}, resolved.", "Prior {noun} in 2019.", "Family history of lung cancer.",
    "Treated for {noun} last year.", "Hypertension and diabetes.", "Former smoker.",
    "Breast cancer in remission.", "Remote appendectomy.",
)

COMPARISONS = (
    "No prior studies are available for comparison.", "Compared with the prior film, no change.",
    "Comparison is made with the study of {date}.", "Previously seen {noun} has resolved.",
    "In comparison with the previous radiograph, there is little change.",
)

TECHNIQUES = (
    "Frontal view of the chest.", "Single portable view.", "PA and lateral views were obtained.",
    "The film is rotated, lung volumes are low.", "Adequate inspiration.",
)

FILLERS = (
    "Degenerative changes of the thoracic spine.", "The aorta is mildly tortuous.",
    "Aortic calcification is noted.", "Mild scoliosis.", "Old granulomatous disease.",
    "Surgical clips in the right upper abdomen.", "The trachea is midline.",
    "Soft tissues are unremarkable.", "The hila are normal.", "Osteopenia.",
    "Gas-filled stomach below the left hemidiaphragm.",
)

CLEAR = (
    "No acute cardiopulmonary abnormality.", "No acute disease.", "Normal chest.",
    "No acute process.", "Unremarkable study.",
)

CLOSERS = (
    "Clinical correlation is advised.", "Findings were telephoned to the ward.",
    "Follow-up in 6 to 8 weeks.", "Recommend repeat film after treatment.",
)
