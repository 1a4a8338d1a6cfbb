#include <stdlib.h>
#include <string.h>

struct vector {
    int *items;
    size_t length;
    size_t capacity;
};

void vector_init(struct vector *vector) {
    vector->items = NULL;
    vector->length = 0;
    vector->capacity = 0;
}

int vector_push(struct vector *vector, int item) {
    if (vector->length == vector->capacity) {
        size_t capacity = vector->capacity ? 2 * vector->capacity : 8;
        int *items = realloc(vector->items, capacity * sizeof(int));
        if (items == NULL) {
            return -1;
        }
        vector->items = items;
        vector->capacity = capacity;
    }
    vector->items[vector->length++] = item;
    return 0;
}

void vector_free(struct vector *vector) {
    free(vector->items);
    vector_init(vector);
}
