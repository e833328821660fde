# The installed package: find_package(filigree) gives filigree::base and the other libraries.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(FILIGREE_DATA_DIR "${CMAKE_INSTALL_DATADIR}/filigree")  # cmake/build_info.h.in names the same place
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/filigree")

get_property(libraries GLOBAL PROPERTY FILIGREE_LIBRARIES)
install(TARGETS ${libraries} EXPORT filigreeTargets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/filigree")
install(EXPORT filigreeTargets NAMESPACE filigree:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/filigreeConfig.cmake.in "${PROJECT_BINARY_DIR}/filigreeConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}" PATH_VARS FILIGREE_DATA_DIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/filigreeConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/filigreeConfig.cmake" "${PROJECT_BINARY_DIR}/filigreeConfigVersion.cmake"
              cmake/FindPCRE2.cmake
        DESTINATION "${package_dir}")

install(DIRECTORY recipes DESTINATION "${FILIGREE_DATA_DIR}")
