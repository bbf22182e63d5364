"""Many runs: prepared, checked, launched, collected."""
