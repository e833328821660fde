# filigree_fuzzer(<name> SOURCES <by name> [LIBS <targets>] [SEEDS <folder>])
#   The program fuzz_<name> with libFuzzer's main. The target run_fuzzers runs each for FILIGREE_FUZZ_SECONDS, starting
#   from the files under SEEDS; what it finds on the way stays in the build folder for the next time.

set(FILIGREE_FUZZ_SECONDS 60 CACHE STRING "Seconds that each fuzz target runs")
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "FILIGREE_FUZZ=ON needs Clang, the compiler is ${CMAKE_CXX_COMPILER_ID}; use the preset 'fuzz'.")
endif()

function(filigree_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SEEDS" "SOURCES;LIBS")
  filigree_program(fuzz_${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set(corpus "${CMAKE_CURRENT_BINARY_DIR}/corpus/${name}")
  set(findings "${CMAKE_CURRENT_BINARY_DIR}/findings/${name}/")
  file(MAKE_DIRECTORY "${corpus}" "${findings}")
  add_custom_target(
    run_fuzz_${name}
    COMMAND fuzz_${name} -max_total_time=${FILIGREE_FUZZ_SECONDS} -print_final_stats=1 -verbosity=0
            "-artifact_prefix=${findings}" "${corpus}" ${arg_SEEDS}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    COMMENT "Fuzzing ${name} for ${FILIGREE_FUZZ_SECONDS} s"
    USES_TERMINAL)
  if(NOT TARGET run_fuzzers)
    add_custom_target(run_fuzzers)
  endif()
  add_dependencies(run_fuzzers run_fuzz_${name})
endfunction()
