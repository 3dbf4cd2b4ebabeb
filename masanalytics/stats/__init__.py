"""Statistics on counts: pure functions of numbers, with their sources, under planning and analysis."""
