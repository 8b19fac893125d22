"""The Model Context Protocol: Guard between agents and the MCP servers that the settings name."""
