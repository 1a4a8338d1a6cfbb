#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    char *text;
    struct node *next;
};

static struct node *push(struct node *head, const char *text) {
    struct node *node = malloc(sizeof(*node));
    if (node == NULL) {
        return head;
    }
    node->text = strdup(text);
    node->next = head;
    return node;
}

static void print(const struct node *head) {
    for (const struct node *node = head; node != NULL; node = node->next) {
        printf("%s\n", node->text);
    }
}

int main(int argc, char **argv) {
    struct node *head = NULL;
    for (int i = 1; i < argc; i++) {
        head = push(head, argv[i]);
    }
    print(head);
    return 0;
}
