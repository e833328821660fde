# Writes base/build_info.h. Included while configuring, it defines the target filigree_build_info that calls this same
# file as a script at every build, so that the commit is the current one; the header changes only when its text does.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(FILIGREE_GENERATED_DIR "${PROJECT_BINARY_DIR}/generated")
  string(TOLOWER "${CMAKE_BUILD_TYPE}" build_type)
  add_custom_target(
    filigree_build_info
    COMMAND ${CMAKE_COMMAND} "-DSOURCE_DIR=${PROJECT_SOURCE_DIR}" "-DVERSION=${PROJECT_VERSION}"
            "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" "-DBUILD_TYPE=${build_type}"
            "-DSANITIZER=${FILIGREE_SANITIZER}" "-DOUTPUT=${FILIGREE_GENERATED_DIR}/base/build_info.h"
            -P "${CMAKE_CURRENT_LIST_FILE}"
    BYPRODUCTS "${FILIGREE_GENERATED_DIR}/base/build_info.h"
    COMMENT "Noting version and commit"
    VERBATIM)
  return()
endif()

set(COMMIT "unknown")
find_program(GIT git)
if(GIT AND EXISTS "${SOURCE_DIR}/.git")
  execute_process(
    COMMAND ${GIT} describe --always --dirty --abbrev=12 --exclude=*
    WORKING_DIRECTORY "${SOURCE_DIR}"
    OUTPUT_VARIABLE described
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET
    RESULT_VARIABLE failed)
  if(NOT failed)
    set(COMMIT "${described}")
  endif()
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/build_info.h.in" "${OUTPUT}" @ONLY)
