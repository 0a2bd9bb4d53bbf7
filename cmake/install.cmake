# cmake --install: programs, models, configs, libraries and headers; find_package(reseda COMPONENTS ...) afterwards.
include(CMakePackageConfigHelpers)
get_property(reseda_libraries GLOBAL PROPERTY RESEDA_LIBRARIES)
install(TARGETS ${reseda_libraries} reseda_torch EXPORT resedaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT resedaTargets NAMESPACE reseda:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/reseda)
foreach(folder modules io)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/reseda
          FILES_MATCHING PATTERN "*.hpp")
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models ${PROJECT_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/reseda)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/resedaConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/resedaConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/reseda)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/resedaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/resedaConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/resedaConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/reseda)
