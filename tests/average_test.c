/* average_test.c - which checkpoints are averaged, against Sockeye 1.18. */
#include <jansson.h>
#include "modeldir/average.h"
#include "tap.h"

int main(void)
{
    static const char *const names[] = {"best", "last", "lifespan"};
    json_error_t e;
    json_t *cases = json_load_file("tests/data/average_strategies.json", 0, &e), *c;
    size_t i;
    ok(json_array_size(cases) > 10, "golden cases: %s", cases ? "there" : e.text);
    json_array_foreach(cases, i, c) {
        json_t *points = json_object_get(c, "points");
        int n = (int)json_array_size(points), size = (int)json_integer_value(json_object_get(c, "size"));
        struct sk_point p[256];
        struct sk_point chosen[256];
        for (int k = 0; k < n; k++) {
            json_t *x = json_array_get(points, (size_t)k);
            p[k] = (struct sk_point){json_number_value(json_array_get(x, 0)),
                                     (int)json_integer_value(json_array_get(x, 1))};
        }
        for (int s = 0; s < 3; s++) {
            json_t *expected = json_object_get(c, names[s]);
            int count = (int)json_array_size(expected);
            int got = sk_average_choose((enum sk_strategy)s, json_is_true(json_object_get(c, "maximize")), p, n, size,
                                        chosen);
            int same = got == count;
            for (int k = 0; k < count && same; k++)
                same = chosen[k].checkpoint == (int)json_integer_value(json_array_get(expected, (size_t)k));
            ok(same, "case %zu: %s", i, names[s]);
        }
    }
    json_decref(cases);
    return done_testing();
}
