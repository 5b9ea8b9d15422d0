"""The HTML pages for browsers. They are loaded when one is first requested."""
