"""The live map page in a real browser. The service behind it is a stand-in; all else is real."""
