# filigree_benchmark(<name> SOURCES <by name> [LIBS <targets>])
#   The program bench_<name>. The target run_benchmarks builds and runs all of them, one after another; nothing else does.

function(filigree_benchmark name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  filigree_program(bench_${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS} benchmark::benchmark)
  set_target_properties(bench_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  set_property(GLOBAL APPEND PROPERTY FILIGREE_BENCHMARKS bench_${name})
endfunction()

function(filigree_run_benchmarks)
  get_property(benchmarks GLOBAL PROPERTY FILIGREE_BENCHMARKS)
  list(TRANSFORM benchmarks PREPEND "COMMAND;" OUTPUT_VARIABLE commands)
  add_custom_target(run_benchmarks ${commands} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" USES_TERMINAL)
  add_dependencies(run_benchmarks ${benchmarks})
endfunction()
