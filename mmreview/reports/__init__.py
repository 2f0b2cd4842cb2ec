"""Reading a report: sections and sentences as spans of the original text. Standard library only.

Spans index characters of the text as it was imported; nothing is rewritten, so that what a view
marks is what the author wrote.
"""
