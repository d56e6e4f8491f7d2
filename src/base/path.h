/* path.h - names of files. All text is malloced. */
#ifndef SK_BASE_PATH_H
#define SK_BASE_PATH_H
char *sk_path_join(const char *dir, const char *name);
/* Folder of a path, "." if it names none. */
char *sk_path_dir(const char *path);
/* Temporaries: DIR/.NAME.UUID.tmp for DIR/NAME; whether a name (without its
 * folder) is of that form. */
char *sk_temp_name(const char *path);
int sk_temp_is(const char *name);
#endif
