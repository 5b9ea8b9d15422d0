"""Pages for people: imported when a browser first asks for one."""
