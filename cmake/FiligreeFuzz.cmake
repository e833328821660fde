# filigree_fuzzer(<name> SOURCES <by name> [LIBS <targets>] [SEEDS <folder>])
#   The program fuzz_<name> with libFuzzer's main. 'make fuzz' runs each through tools/fuzz.sh, starting from the files
#   in SEEDS.

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "FILIGREE_FUZZ=ON needs Clang, the compiler is ${CMAKE_CXX_COMPILER_ID}; use the preset 'fuzz'.")
endif()
set(FILIGREE_FUZZERS "${PROJECT_BINARY_DIR}/fuzzers.txt")
file(WRITE "${FILIGREE_FUZZERS}" "")

function(filigree_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SEEDS" "SOURCES;LIBS")
  filigree_program(fuzz_${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  file(APPEND "${FILIGREE_FUZZERS}" "${name} ${arg_SEEDS}\n")
endfunction()
