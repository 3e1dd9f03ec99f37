"""Tests of the whole house; what several test files share lies beside them."""
