#include "gateway/access/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include "gateway/access/control.h"
#include "gateway/core/error.h"
#include "gateway/core/file.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 64, LINE_MAX_BYTES = 1024 };

static const char usage[] = "usage 用法:\n"
                            "  gridgate user add -c FILE NAME --role ROLE [--agency ID] [--grid ID] [--unit TEXT]"
                            " [--password-file F]\n"
                            "  gridgate user list -c FILE\n"
                            "  gridgate user passwd -c FILE NAME [--password-file F]\n"
                            "  gridgate user lock -c FILE NAME [--off]\n"
                            "  gridgate user remove -c FILE NAME\n"
                            "  gridgate token add -c FILE NAME --role ROLE [--agency ID] [--grid ID] [--expires TIME]\n"
                            "  gridgate token list -c FILE\n"
                            "  gridgate token revoke -c FILE ID\n";

/* Which options a command takes, and what its bare word is called in the request. */
static const struct {
  const char *group, *verb, *word;
  const char *options[6];
  gboolean has_password;
} commands[] = {
  { "user", "add", "name", { "role", "agency", "grid", "unit", "password-file" }, TRUE },
  { "user", "list", NULL, { NULL }, FALSE },
  { "user", "passwd", "name", { "password-file" }, TRUE },
  { "user", "lock", "name", { NULL }, FALSE },
  { "user", "remove", "name", { NULL }, FALSE },
  { "token", "add", "name", { "role", "agency", "grid", "expires" }, FALSE },
  { "token", "list", NULL, { NULL }, FALSE },
  { "token", "revoke", "id", { NULL }, FALSE },
};

static int find_command (const char *group, const char *verb)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i].group, group) && g_str_equal (commands[i].verb, verb))
      return (int) i;
  return -1;
}

static gboolean add_option (json_t *request, int which, const char *option, const char *value, GError **error)
{
  if (!g_strv_contains (commands[which].options, option))
    return error_set (error, ERROR_REFUSE, "%s %s knows no option --%s", commands[which].group, commands[which].verb, option);
  if (value == NULL)
    return error_set (error, ERROR_REFUSE, "--%s needs a value", option);
  if (json_object_set_new (request, option, json_string (value)) != 0)
    return error_set (error, ERROR_REFUSE, "--%s: the value is not valid UTF-8", option);
  return TRUE;
}

static gboolean parse_arguments (json_t *request, int which, int count, char **arguments, GError **error)
{
  const char *word = commands[which].word;
  for (int i = 2; i < count; i++) {
    if (g_str_equal (arguments[i], "--off") && g_str_equal (commands[which].verb, "lock")) {
      json_object_set_new (request, "off", json_true ());
    } else if (g_str_has_prefix (arguments[i], "--")) {
      if (!add_option (request, which, arguments[i] + 2, i + 1 < count ? arguments[i + 1] : NULL, error))
        return FALSE;
      i++;
    } else if (word == NULL || json_object_get (request, word) != NULL) {
      return error_set (error, ERROR_REFUSE, "%s: one word too many", arguments[i]);
    } else if (json_object_set_new (request, word, json_string (arguments[i])) != 0) {
      return error_set (error, ERROR_REFUSE, "the %s is not valid UTF-8", word);
    }
  }
  if (word != NULL && json_object_get (request, word) == NULL)
    return error_set (error, ERROR_REFUSE, "the %s is missing", word);
  return TRUE;
}

/* One line from the terminal without echo, or from standard input. */
static char *ask_password (GError **error)
{
  char line[LINE_MAX_BYTES];
  struct termios before, quiet;
  gboolean is_terminal = tcgetattr (STDIN_FILENO, &before) == 0;
  if (is_terminal) {
    fputs ("password 密码: ", stderr);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t) ECHO;
    tcsetattr (STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  gboolean is_read = fgets (line, sizeof line, stdin) != NULL;
  if (is_terminal) {
    tcsetattr (STDIN_FILENO, TCSAFLUSH, &before);
    fputc ('\n', stderr);
  }
  if (!is_read) {
    error_set (error, ERROR_REFUSE, "no password came: give --password-file FILE or one line on standard input");
    return NULL;
  }
  line[strcspn (line, "\r\n")] = '\0';
  return g_strdup (line);
}

static gboolean add_password (json_t *request, GError **error)
{
  json_t *path = json_object_get (request, "password-file");
  g_autofree char *password
    = path != NULL ? file_read_secret (json_string_value (path), error) : ask_password (error);
  if (password == NULL)
    return FALSE;
  if (json_object_set_new (request, "password", json_string (password)) != 0)
    return error_set (error, ERROR_REFUSE, "the password is not valid UTF-8");
  json_object_del (request, "password-file");
  return TRUE;
}

static Site *site_of_command (gpointer data)
{
  return site_ref (data);
}

/* The lock of `gridgate run`; -1 with ERROR_RETRY while another holds it. */
static int lock_data_dir (const char *data_dir, GError **error)
{
  g_autofree char *path = g_build_filename (data_dir, "lock", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  error_set (error, ERROR_RETRY, "cannot lock %s (%s): a gateway runs on it and does not answer", path, g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

static json_t *execute_here (const Site *site, json_t *request, GError **error)
{
  int lock = folder_make (site->gateway.data_dir, error) ? lock_data_dir (site->gateway.data_dir, error) : -1;
  if (lock < 0)
    return NULL;
  json_t *answer = NULL;
  Store *store = store_open (site->gateway.data_dir, clock_system (), error);
  if (store != NULL) {
    Access *access = access_new (store, site_of_command, (gpointer) site);
    answer = control_execute (access, request);
    access_free (access);
  }
  store_close (store);
  close (lock);
  return answer;
}

static json_t *execute (const Site *site, json_t *request, GError **error)
{
  g_autoptr (GError) away = NULL;
  json_t *answer = control_call (site->gateway.runtime_dir, request, &away);
  if (answer != NULL)
    return answer;
  if (!error_is (away, ERROR_RETRY)) {
    g_propagate_error (error, g_steal_pointer (&away));
    return NULL;
  }
  return execute_here (site, request, error);
}

static void print_result (json_t *result)
{
  gsize index;
  json_t *item;
  if (json_is_null (result) || result == NULL)
    return;
  if (!json_is_array (result)) {
    json_dumpf (result, stdout, JSON_COMPACT);
    putchar ('\n');
    return;
  }
  json_array_foreach (result, index, item) {
    json_dumpf (item, stdout, JSON_COMPACT);
    putchar ('\n');
  }
}

int access_command (const Site *site, int count, char **arguments)
{
  g_autoptr (GError) error = NULL;
  int which = count > 1 ? find_command (arguments[0], arguments[1]) : -1;
  if (which < 0) {
    fputs (usage, stderr);
    return EXIT_USAGE;
  }
  g_autofree char *command = g_strdup_printf ("%s.%s", arguments[0], arguments[1]);
  json_t *request = json_pack ("{s:s}", "command", command);
  if (!parse_arguments (request, which, count, arguments, &error)) {
    fprintf (stderr, "gridgate: %s\n\n%s", error->message, usage);
    json_decref (request);
    return EXIT_USAGE;
  }
  json_t *answer = NULL;
  if (!commands[which].has_password || add_password (request, &error))
    answer = execute (site, request, &error);
  int status = answer != NULL ? (int) json_integer_value (json_object_get (answer, "exit")) : EXIT_FAILED;
  const char *message = answer != NULL ? json_string_value (json_object_get (answer, "error")) : error->message;
  if (status != 0)
    fprintf (stderr, "gridgate: %s\n", message);
  else
    print_result (json_object_get (answer, "result"));
  json_decref (answer);
  json_decref (request);
  return status;
}
