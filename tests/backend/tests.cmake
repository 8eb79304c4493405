# The operator cases once for each instruction set; one that the machine has not is skipped with its reason (exit 77).
foreach(isa plain avx2 avx512 avx512_bf16 amx)
  add_test(NAME backend_ops_cpu_${isa} COMMAND backend_test_ops_cpu)
  set_tests_properties(backend_ops_cpu_${isa} PROPERTIES TIMEOUT 900 ENVIRONMENT MIEN_ISA=${isa} SKIP_RETURN_CODE 77)
endforeach()
set_tests_properties(backend_ops_cpu_plain PROPERTIES LABELS long) # while working the machine's own kernels do
