# What reaches other processes: core/shard/mpi.c, once for each MPI that is here, by that MPI's own
# compiler. The program opens the one that goes with its launcher; without an MPI there is none.

set(MPI_FLAGS -std=c11 -O2 -shared -fPIC -Wall -Wextra -fvisibility=hidden)
if(SEMBED_WERROR)
  list(APPEND MPI_FLAGS -Werror)
endif()
set(MPI_OBJECTS)
foreach(flavour openmpi mpich mpi)
  find_program(MPICC_${flavour} NAMES mpicc.${flavour})
  if(flavour STREQUAL "mpi" AND NOT MPI_OBJECTS)
    find_program(MPICC_mpi NAMES mpicc)
  endif()
  if(MPICC_${flavour})
    set(object ${CMAKE_BINARY_DIR}/sembed_mpi_${flavour}.so)
    add_custom_command(OUTPUT ${object}
      COMMAND ${MPICC_${flavour}} ${MPI_FLAGS} -I ${CMAKE_SOURCE_DIR}/core
        ${CMAKE_SOURCE_DIR}/core/shard/mpi.c -o ${object}
      DEPENDS core/shard/mpi.c core/shard/transport.h VERBATIM)
    list(APPEND MPI_OBJECTS ${object})
  endif()
endforeach()
if(MPI_OBJECTS)
  add_custom_target(sembed_mpi ALL DEPENDS ${MPI_OBJECTS})
  install(FILES ${MPI_OBJECTS} DESTINATION ${CMAKE_INSTALL_LIBDIR}/sembed)
endif()
