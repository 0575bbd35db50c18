"""Diagnosis of a machine: its hardware, drivers, packages and settings, and advice."""
