"""Audits: what is found of synthetic examples before any classifier time is spent on them."""

from .audit import audit, samples
from .base import Auditor, auditor_of, register

__all__ = ["Auditor", "audit", "auditor_of", "register", "samples"]
