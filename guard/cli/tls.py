"""What the verbs that serve say of TLS before they start."""

from __future__ import annotations

from rich.console import Console

from guard.settings_file import ServedSettings

#: Hosts that only this machine reaches.
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def scheme_of(settings: ServedSettings, console: Console) -> str:
    """`https` where there is TLS, once its files were tried, else `http`. Raises SettingsError."""
    tls = settings.tls
    if tls is None:
        return "http"
    tls.context()
    if warning := tls.warning():
        console.print(f"warning: {warning}", markup=False, soft_wrap=True)
    return "https"
