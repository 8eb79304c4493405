# Whole models beside torchvision, where there is a python3 that has it; else skipped with the reason (exit 77).
set_tests_properties(parity_test_model PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 LABELS parity)
