#include "train/shards_stage.h"
#include <string.h>
#include "base/msg.h"

int sk_shards_stage_open(struct sk_shards_stage *s, struct sk_model *m)
{
    const char *why = "";
    memset(s, 0, sizeof *s);
    s->ops = s->host_ops = sk_model_ops(m, &s->dev);
    s->host_dev = s->dev;
    s->regions = sk_model_regions(m, &s->region);
    memcpy(s->host, s->region, (size_t)s->regions * sizeof *s->host);
    if (s->ops->host)
        return 0;
    s->host_ops = &sk_ops_cpu;
    s->host_dev = s->host_ops->open(1, &why);
    if (!s->host_dev)
        return sk_fail(SK_EXIT_NO, "several shards exchange gradients by way of the CPU: %s", why);
    for (int r = 0; r < s->regions; r++)
        s->host[r].data = s->host_ops->alloc(s->host_dev, s->host[r].n * sizeof(float));
    return 0;
}

void sk_shards_stage_close(struct sk_shards_stage *s)
{
    if (!s->host_dev || s->host_dev == s->dev)
        return;
    for (int r = 0; r < s->regions; r++)
        s->host_ops->free(s->host_dev, s->host[r].data);
    s->host_ops->close(s->host_dev);
}

void sk_shards_stage_down(const struct sk_shards_stage *s)
{
    for (int r = 0; s->host_dev != s->dev && r < s->regions; r++)
        s->ops->download(s->dev, s->host[r].data, s->region[r].data, s->region[r].n * sizeof(float));
}

void sk_shards_stage_up(const struct sk_shards_stage *s)
{
    for (int r = 0; s->host_dev != s->dev && r < s->regions; r++)
        s->ops->upload(s->dev, s->region[r].data, s->host[r].data, s->region[r].n * sizeof(float));
}
