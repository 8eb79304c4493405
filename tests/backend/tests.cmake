# The operator cases once for each instruction set; one that the machine has not is skipped with its reason (exit 77).
foreach(isa plain avx2 avx512 avx512_bf16 amx)
  foreach(what ops_cpu bottleneck)
    add_test(NAME backend_${what}_${isa} COMMAND backend_test_${what})
    set_tests_properties(backend_${what}_${isa} PROPERTIES TIMEOUT 900 ENVIRONMENT MIEN_ISA=${isa} SKIP_RETURN_CODE 77)
  endforeach()
endforeach()
set_tests_properties(backend_ops_cpu_plain PROPERTIES LABELS long) # while working the machine's own kernels do
