"""What a call and a run are, and how they lie on disk."""

from ._errors import InputError, LaunchError, ProxyError, StoreError, TachographError

__all__ = ["InputError", "LaunchError", "ProxyError", "StoreError", "TachographError"]
