# filigree_test(<folder> SOURCES <*_test.cpp by name> [LABEL <label>] [LIBS <targets>] [TORCH])
#   One GoogleTest program for one folder of tests/, each test a test of ctest. A suite whose name ends in Reference,
#   Golden or Dist gets the label reference, golden or dist; all others get LABEL (unit if not given).
#   Tests run in the source folder. TORCH: they use LibTorch.

include(GoogleTest)

function(filigree_test folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "LABEL" "SOURCES;LIBS")
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  set(target test_${folder})
  set(precompiled PRECOMPILE <gtest/gtest.h>)
  if(arg_TORCH)
    set(precompiled TORCH)
  endif()
  filigree_program(${target} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS} filigree_test_support ${precompiled})

  set(special "*Reference.*:*Golden.*:*Dist.*")
  set(common WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES)
  gtest_discover_tests(${target} ${common} TEST_FILTER "-${special}" TEST_LIST ${target}_plain
                       PROPERTIES LABELS ${arg_LABEL} TIMEOUT 300)
  foreach(suite Reference Golden Dist)
    string(TOLOWER ${suite} label)
    gtest_discover_tests(${target} ${common} TEST_FILTER "*${suite}.*" TEST_LIST ${target}_${label}
                         PROPERTIES LABELS ${label} TIMEOUT 600)
  endforeach()
endfunction()
