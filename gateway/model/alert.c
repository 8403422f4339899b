#include "gateway/model/alert.h"

void alert_free (Alert *alert)
{
  if (alert == NULL)
    return;
  g_free (alert->id);
  g_free (alert->rule);
  g_free (alert->sensor);
  g_free (alert->camera);
  g_free (alert->grid);
  g_free (alert->category);
  g_free (alert->unit);
  g_free (alert->incident);
  g_free (alert);
}
