/* A rule's conditions: values of their own kinds, and the table of what stands under `when`. */
#include "config/keys_rule_when.h"

#include "config/check_when.h"
#include "config/reader.h"
#include "config/types.h"

#include <math.h>
#include <string.h>

#define SECOND ((double) G_TIME_SPAN_SECOND)
#define DAY (86400 * SECOND)

enum { STEPS_MAX = 4, TERMS_MAX = 8, COUNT_MAX = 50 };

/* [low, high] */

static gboolean read_range (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  Range range = { .is_set = TRUE };
  if (node->kind != YAML_LIST || node->children->len != 2)
    return reader_mismatch (reader, key, node);
  if (!read_number (reader, key, node->children->pdata[0], &range.low)
      || !read_number (reader, key, node->children->pdata[1], &range.high))
    return FALSE;
  if (range.low >= range.high)
    return reader_refuse (reader, node, "%s: %g is not below %g, expected the lower one first", key->name, range.low,
                          range.high);
  *(Range *) field = range;
  return TRUE;
}

static json_t *show_range (const Key *key, gconstpointer field)
{
  const Range *range = field;
  (void) key;
  return range->is_set ? json_pack ("[f, f]", range->low, range->high) : NULL;
}

static json_t *schema_range (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:i, s:i, s:{s:s}}", "type", "array", "minItems", 2, "maxItems", 2, "items", "type",
                    "number");
}

static const ValueType type_range = { "two numbers as [low, high]", read_range, show_range, schema_range };

/* `clear`: one number, or two for ranges. */

static gboolean read_clear (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  Range *range = field;
  if (node->kind == YAML_LIST)
    return read_range (reader, key, node, field);
  if (!read_number (reader, key, node, &range->low))
    return FALSE;
  range->high = range->low;
  range->is_set = TRUE;
  return TRUE;
}

static json_t *show_clear (const Key *key, gconstpointer field)
{
  const Range *range = field;
  return range->is_set && range->low == range->high ? json_real (range->low) : show_range (key, field);
}

static json_t *schema_clear (const Key *key)
{
  return json_pack ("{s:[{s:s}, o]}", "anyOf", "type", "number", schema_range (key));
}

static const ValueType type_clear = { "a number, or two as [low, high]", read_clear, show_clear, schema_clear };

/* `equals`: a number, true or false, or a text; quotes make it a text. */

static gboolean read_value (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  RuleValue *value = field;
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  char *end;
  double number = g_ascii_strtod (text, &end);
  gboolean is_number = strspn (text, "+-0123456789.eE") == strlen (text) && *end == '\0' && isfinite (number);
  gboolean is_boolean = strcmp (text, "true") == 0 || strcmp (text, "false") == 0;
  g_free (value->text);
  *value = (RuleValue){ RULE_VALUE_TEXT, 0, NULL };
  if (node->is_plain && is_number)
    *value = (RuleValue){ RULE_VALUE_NUMBER, number, NULL };
  else if (node->is_plain && is_boolean)
    *value = (RuleValue){ RULE_VALUE_BOOLEAN, text[0] == 't', NULL };
  else
    return type_text.read (reader, key, node, &value->text);
  return TRUE;
}

static json_t *show_value (const Key *key, gconstpointer field)
{
  const RuleValue *value = field;
  (void) key;
  switch (value->kind) {
  case RULE_VALUE_NUMBER:
    return json_real (value->number);
  case RULE_VALUE_BOOLEAN:
    return json_boolean (value->number != 0);
  case RULE_VALUE_TEXT:
    return json_string (value->text);
  default:
    return NULL;
  }
}

static json_t *schema_value (const Key *key)
{
  (void) key;
  return json_pack ("{s:[s, s, s]}", "type", "number", "boolean", "string");
}

static const ValueType type_value = { "a number, true, false or a text", read_value, show_value, schema_value };

/* Flags and counts that don't show when they aren't set. */

static json_t *show_flag (const Key *key, gconstpointer field)
{
  return *(const gboolean *) field ? type_boolean.show (key, field) : NULL;
}

static gboolean read_flag (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return type_boolean.read (reader, key, node, field);
}

static json_t *schema_flag (const Key *key)
{
  return type_boolean.schema (key);
}

static const ValueType type_flag = { "true or false", read_flag, show_flag, schema_flag };

static json_t *show_count (const Key *key, gconstpointer field)
{
  return *(const int *) field != 0 ? type_whole.show (key, field) : NULL;
}

static gboolean read_count (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return type_whole.read (reader, key, node, field);
}

static json_t *schema_count (const Key *key)
{
  return type_whole.schema (key);
}

static const ValueType type_count = { "a whole number", read_count, show_count, schema_count };

/* What rules, steps and terms have in common. `S` is the struct whose member `comparison` they fill. */
#define AT(S, field) G_STRUCT_OFFSET (S, comparison.field)
#define COMPARISON_KEYS(S)                                                                                             \
  { "below", &type_number, AT (S, below), .help = "Starts when a value is below this.",                               \
    .help_zh = "读数低于此值时触发。" },                                                                               \
  { "outside", &type_range, AT (S, outside), .help = "Starts when a value is outside these two.",                     \
    .help_zh = "读数在此范围之外时触发。" },                                                                           \
  { "inside", &type_range, AT (S, inside), .help = "Starts when a value is between these two, ends included.",        \
    .help_zh = "读数在此范围之内 (含端点) 时触发。" },                                                                 \
  { "equals", &type_value, AT (S, equals), .help = "Starts when a value is this number, text, true or false.",        \
    .help_zh = "读数等于此数值、文字或真假时触发。" },                                                                 \
  { "changed", &type_flag, AT (S, changed), .help = "true: starts when a value differs from the one before.",         \
    .help_zh = "true: 读数与前一个不同时触发。" },                                                                     \
  { "rise", &type_number, AT (S, rise), .help = "Starts when a value has risen by more than this within `within`.",   \
    .help_zh = "在 within 时间内上升超过此值时触发。" },                                                               \
  { "fall", &type_number, AT (S, fall), .help = "Starts when a value has fallen by more than this within `within`.",  \
    .help_zh = "在 within 时间内下降超过此值时触发。" }
#define ABOVE_KEY(S, ...)                                                                                              \
  { "above", &type_number, AT (S, above), .help = "Starts when a value is above this.",                               \
    .help_zh = "读数高于此值时触发。", __VA_ARGS__ }
#define SILENT_KEY(S)                                                                                                  \
  { "silent", &type_duration, AT (S, silent_us), .minimum = SECOND, .maximum = 366 * DAY,                             \
    .help = "Starts when there was no reading for this long.", .help_zh = "超过此时间没有读数时触发。" }
#define CLEAR_KEY(S, ...)                                                                                              \
  { "clear", &type_clear, AT (S, clear),                                                                              \
    .help = "Clears once a value is back beyond this; at the threshold itself when not given.",                       \
    .help_zh = "回落 (回升) 过此值时解除, 不写则同阈值。", __VA_ARGS__ }
#define WITHIN_KEY(S)                                                                                                  \
  { "within", &type_duration, AT (S, within_us), .minimum = SECOND, .maximum = 31 * DAY,                              \
    .help = "The window of rise, fall, count, all and any.", .help_zh = "rise、fall、count、all、any 的时间窗。" }

static const Choice severities[] = {
  { "minor", SEVERITY_MINOR }, { "moderate", SEVERITY_MODERATE }, { "severe", SEVERITY_SEVERE },
  { "extreme", SEVERITY_EXTREME }, { 0 }
};

static const Key step_keys[] = {
  { "severity", &type_choice, G_STRUCT_OFFSET (RuleStep, severity), .choices = severities, .is_required = TRUE,
    .help = "Of this step.", .help_zh = "此级的等级。" },
  ABOVE_KEY (RuleStep), COMPARISON_KEYS (RuleStep), SILENT_KEY (RuleStep),
  CLEAR_KEY (RuleStep), { 0 }
};

static void prepare_step (gpointer item)
{
  comparison_init (&((RuleStep *) item)->comparison);
}

static const Section step_section = { "step", step_keys, sizeof (RuleStep), (GDestroyNotify) rule_step_free,
                                      .prepare = prepare_step, .check = check_step };

static const Key term_keys[] = {
  { "metric", &type_id, G_STRUCT_OFFSET (RuleTerm, metric), .is_required = TRUE, .help = "Readings of this metric.",
    .help_zh = "匹配该指标的读数。" },
  { "sensors", &type_references, G_STRUCT_OFFSET (RuleTerm, sensors), .kind = SITE_SENSORS, .minimum = 1,
    .maximum = 1000, .help = "Of these sensors only.", .help_zh = "仅限这些传感器。" },
  ABOVE_KEY (RuleTerm), COMPARISON_KEYS (RuleTerm), WITHIN_KEY (RuleTerm), { 0 }
};

static void prepare_term (gpointer item)
{
  comparison_init (&((RuleTerm *) item)->comparison);
}

static const Section term_section = { "term", term_keys, sizeof (RuleTerm), (GDestroyNotify) rule_term_free,
                                      .prepare = prepare_term, .check = check_term };

/* Lists that a rule has or has not; their keys are told by their help, not as lines of the defaults. */

static Key with_section (const Key *key, const Section *section)
{
  Key full = *key;
  full.section = section;
  return full;
}

static gboolean read_steps (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  Key full = with_section (key, &step_section);
  return type_maps.read (reader, &full, node, field);
}

static json_t *show_steps (const Key *key, gconstpointer field)
{
  Key full = with_section (key, &step_section);
  return *(GPtrArray *const *) field != NULL ? type_maps.show (&full, field) : NULL;
}

static json_t *schema_steps (const Key *key)
{
  Key full = with_section (key, &step_section);
  return type_maps.schema (&full);
}

static gboolean read_terms (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  Key full = with_section (key, &term_section);
  return type_maps.read (reader, &full, node, field);
}

static json_t *show_terms (const Key *key, gconstpointer field)
{
  Key full = with_section (key, &term_section);
  return *(GPtrArray *const *) field != NULL ? type_maps.show (&full, field) : NULL;
}

static json_t *schema_terms (const Key *key)
{
  Key full = with_section (key, &term_section);
  return type_maps.schema (&full);
}

static const ValueType type_steps = { "a list such as [{severity: minor, above: 3.0}, {severity: severe, above: 3.2}]",
                                      read_steps, show_steps, schema_steps };
static const ValueType type_terms = { "a list such as [{metric: rain, above: 20}, {metric: water_level, rise: 0.3, within: 1h}]",
                                      read_terms, show_terms, schema_terms };

#define PLACE(field) G_STRUCT_OFFSET (RuleWhen, field)

static const Key when_keys[] = {
  ABOVE_KEY (RuleWhen, .example = "3.2"),
  COMPARISON_KEYS (RuleWhen),
  SILENT_KEY (RuleWhen),
  { "steps", &type_steps, PLACE (steps), .minimum = 2, .maximum = STEPS_MAX,
    .help = "Thresholds of their own for several severities; it stays one alert, which changes its severity.",
    .help_zh = "各等级的阈值; 升级和降级都是同一条告警改变等级。" },
  { "all", &type_terms, PLACE (all), .minimum = 2, .maximum = TERMS_MAX,
    .help = "Starts when each of these was so within `within`, by any sensor of the grid.",
    .help_zh = "同一网格内各项在 within 时间内都出现过时触发。" },
  { "any", &type_terms, PLACE (any), .minimum = 2, .maximum = TERMS_MAX,
    .help = "Starts when one of these was so within `within`, by any sensor of the grid.",
    .help_zh = "同一网格内任一项在 within 时间内出现过时触发。" },
  CLEAR_KEY (RuleWhen, .example = "3.0"),
  { "for", &type_duration, PLACE (hold_us), .minimum = 0, .maximum = 7 * DAY, .fallback = "0s",
    .help = "It must last this long.", .help_zh = "须持续的时间。" },
  { "clear_for", &type_duration, PLACE (clear_hold_us), .minimum = 0, .maximum = 7 * DAY, .fallback = "0s",
    .help = "It must be over this long before the alert clears.", .help_zh = "恢复须持续此时间才解除。" },
  { "count", &type_count, PLACE (count), .minimum = 2, .maximum = COUNT_MAX,
    .help = "It takes this many readings within `within`.", .help_zh = "在 within 时间内须有这么多次。" },
  WITHIN_KEY (RuleWhen),
  { "count_downtime", &type_boolean, PLACE (counts_downtime), .fallback = "false",
    .help = "Whether for and clear_for go on while the gateway doesn't run.",
    .help_zh = "网关停机的时间是否计入 for 和 clear_for。" },
  { 0 }
};

static void prepare_when (gpointer item)
{
  comparison_init (&((RuleWhen *) item)->comparison);
}

const Section when_section = { "when", when_keys, sizeof (RuleWhen), .prepare = prepare_when, .check = check_when };
