"""Robust Intelligence (RIME): clients of its generative firewall."""
