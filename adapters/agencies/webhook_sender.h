/* webhook_sender.h: events to agencies' webhooks: POST of the CloudEvent, signed as Standard Webhooks does.
 *
 * One thread with libcurl's multi interface carries all webhooks. Only addresses from the configuration, no redirects,
 * bounded times and answers. 2xx: delivered; network errors, 408, 429 (with Retry-After) and 5xx: again later, the same id;
 * everything else: given up, which becomes a receipt.
 *
 * thread: any; the ports' functions only queue and wake. */
#pragma once

#include "gateway/core/clock.h"
#include "gateway/model/delivery_port.h"

typedef struct WebhookSender WebhookSender;

WebhookSender *webhook_sender_new (Clock *clock);

/* A port to `url` (https:// or http://). `secret_file` is read at each delivery, so that a new secret needs no restart. The port
 * is freed with the sender; its own free operation does nothing. */
DeliveryPort webhook_sender_port (WebhookSender *sender, const char *url, const char *secret_file);

/* Ends the thread: what is on its way is cut off and returned. After all ports are detached. */
void webhook_sender_free (WebhookSender *sender);
