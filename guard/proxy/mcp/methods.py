"""The methods of MCP that are understood, and on which side of a turn the answer to each stands.

Those of every published version are here, 2024-11-05 to 2026-07-28, with the tasks of 2025-11-25. Which of them a
version has is between the client and the server; what Guard has to know is that it reads all that they can carry.
"""

from __future__ import annotations

from guard.metrics import Side

CALL = "tools/call"

#: What a client may ask, and the side on which the answer is read: what a tool says, or what was looked up.
ASKED: dict[str, Side] = {
    "initialize": "tool_result",
    "server/discover": "tool_result",
    "ping": "tool_result",
    "logging/setLevel": "tool_result",
    "tools/list": "tool_result",
    "tools/call": "tool_result",
    "tasks/get": "tool_result",
    "tasks/list": "tool_result",
    "tasks/result": "tool_result",
    "tasks/cancel": "tool_result",
    "tasks/update": "tool_result",
    "subscriptions/listen": "tool_result",
    "resources/list": "retrieval",
    "resources/templates/list": "retrieval",
    "resources/read": "retrieval",
    "resources/subscribe": "retrieval",
    "resources/unsubscribe": "retrieval",
    "prompts/list": "retrieval",
    "prompts/get": "retrieval",
    "completion/complete": "retrieval",
}
#: What a client may tell.
TOLD = frozenset(
    {
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
        "notifications/tasks/status",
    }
)
#: What a server may ask and tell.
SERVER_ASKS = frozenset({"ping", "roots/list", "sampling/createMessage", "elicitation/create"})
SERVER_TELLS = frozenset(
    {
        "notifications/message",
        "notifications/progress",
        "notifications/cancelled",
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/elicitation/complete",
        "notifications/tasks/status",
        "notifications/subscriptions/acknowledged",
    }
)
#: Answers that list things, and the field with the list: one that the policy refuses is left out, the others stay.
LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
#: The field that each of these mirrors into the header `mcp-name`.
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
#: Streams that stay silent for as long as nothing happens.
ENDLESS = frozenset({"subscriptions/listen"})
