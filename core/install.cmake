# libsembed.so and what `cmake --install build --prefix DIR` puts in place. The tree can be moved
# afterwards.

# lpeg's static library is compiled for programs, and symbols that another object could replace keep
# it out of a shared one: as one object with a single symbol it fits.
set(LPEG_OBJECT ${CMAKE_BINARY_DIR}/generated/lpeg.o)
add_custom_command(OUTPUT ${LPEG_OBJECT}
  COMMAND ${CMAKE_LINKER} -r --whole-archive ${LPEG_STATIC} -o ${LPEG_OBJECT}
  COMMAND ${CMAKE_OBJCOPY} --keep-global-symbol=luaopen_lpeg ${LPEG_OBJECT}
  DEPENDS ${LPEG_STATIC} VERBATIM)

# LuaJIT is the shared one here, for the static one is for programs only.
add_library(libsembed SHARED $<TARGET_OBJECTS:lua_part> ${LPEG_OBJECT})
set_target_properties(libsembed PROPERTIES OUTPUT_NAME sembed LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(libsembed PRIVATE -Wl,--whole-archive engine -Wl,--no-whole-archive engine
  ${LUAJIT_LINK_LIBRARIES})
set(EXPORTS ${CMAKE_SOURCE_DIR}/core/libsembed.map)
set_target_properties(libsembed PROPERTIES LINK_DEPENDS ${EXPORTS})
# Never unloaded, since OpenMP's threads would be left without their code; no other copy of the
# engine in the process takes the place of this one's functions.
target_link_options(libsembed PRIVATE -Wl,-z,nodelete -Wl,-Bsymbolic -Wl,--version-script,${EXPORTS})

# The way from the .pc file to the prefix, so that the installed tree can be moved.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  set(PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
  set(PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH PC_UP /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  set(PC_PREFIX "\${pcfiledir}/${PC_UP}")
  set(PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(core/sembed.pc.in ${CMAKE_BINARY_DIR}/generated/sembed.pc @ONLY)

set(MAN_PAGE ${CMAKE_BINARY_DIR}/generated/sembed.1)
file(GLOB RECIPES CONFIGURE_DEPENDS recipes/*.lua)
add_custom_command(OUTPUT ${MAN_PAGE}
  COMMAND ${LUAJIT_PROGRAM} ${CMAKE_SOURCE_DIR}/lua/man.lua ${CMAKE_SOURCE_DIR}/core/sembed.1.in
    ${MAN_PAGE} ${PROJECT_VERSION} ${RECIPES}
  DEPENDS lua/man.lua core/sembed.1.in ${RECIPES} VERBATIM)
add_custom_target(man ALL DEPENDS ${MAN_PAGE})

install(TARGETS sembed libsembed RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES core/sembed.h core/op.h core/type.h core/base.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sembed)
install(FILES ${CMAKE_BINARY_DIR}/generated/sembed.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${MAN_PAGE} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/sembed)
install(FILES LICENSE NOTICE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
