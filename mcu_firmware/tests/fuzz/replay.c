/* Runs a fuzz target on every file of a folder, in place of libFuzzer: replay FOLDER. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *folder, const char *name) {
    static uint8_t bytes[1 << 16];
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    return 0;
}

int main(int argc, char **argv) {
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "Name a folder of inputs: %s FOLDER\n", argv[0]);
        return 2;
    }
    int failed = 0, ran = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            failed += run_file(argv[1], entry->d_name);
            ran++;
        }
    }
    closedir(folder);
    printf("%d inputs\n", ran);
    return failed > 0 || ran == 0;
}
