"""Tests of minreg."""
