/* temp.h - names of temporary files, for this folder. */
#ifndef SK_BASE_TEMP_H
#define SK_BASE_TEMP_H
/* DIR/.NAME.UUID.tmp for DIR/NAME; malloced. */
char *sk_temp_name(const char *path);
/* Is a file's name (without folder) of that form? */
int sk_temp_is(const char *name);
/* Folder of a path, "." if it names none; malloced. */
char *sk_path_dir(const char *path);
#endif
