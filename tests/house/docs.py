"""x"""
from tree import Tap
Tap().end()
