/* Texts to vectors from C: example_encode FOLDER < LINES > VECTORS (f32, one vector a line).
 *
 *     cc example_encode.c -o example_encode $(pkg-config --cflags --libs sembed) */
#define _POSIX_C_SOURCE 200809L
#include <sembed.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    se_model *model;
    if (argc != 2 || se_model_open(argv[1], &model)) {
        fprintf(stderr, "example_encode: %s\n", argc != 2 ? "a folder is wanted" : se_message());
        return 1;
    }
    int64_t dims = se_model_dims(model);
    float *vector = malloc(sizeof(float) * (size_t)dims);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while (vector && (n = getline(&line, &room, stdin)) > 0) {
        size_t bytes = (size_t)n - (line[n - 1] == '\n');
        if (se_model_encode(model, 1, (const char *const *)&line, &bytes, NULL, vector, NULL)) {
            fprintf(stderr, "example_encode: %s\n", se_message());
            return 1;
        }
        fwrite(vector, sizeof(float), (size_t)dims, stdout);
    }
    free(line);
    free(vector);
    se_model_close(model);
    return 0;
}
