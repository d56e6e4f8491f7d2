/* allreduce.c - the same by an MPI: MPI_Allreduce in place. usage: mpirun -n PROCESSES allreduce FLOATS ROUNDS */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int me, rounds;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &me);
    int n = atoi(argv[1]);
    rounds = atoi(argv[2]);
    float *x = malloc((size_t)n * sizeof *x);
    for (int r = 0; r <= rounds; r++) {
        for (int i = 0; i < n; i++) x[i] = (float)me + 1;
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime();
        MPI_Allreduce(MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        if (me == 0 && r > 0) printf("%.4f\n", MPI_Wtime() - start);
    }
    free(x);
    return MPI_Finalize();
}
