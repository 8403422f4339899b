/* Units by UCUM code (https://ucum.org/ucum, case-sensitive), one row each: base = value * factor + offset, where the base is
 * the SI unit of the dimension. */
#include "config/units.h"

#include <string.h>

#include "config/reader.h"

const UnitOfMeasure config_units[] = {
  /* Lengths: levels, rain, distances. */
  { "m", "length", 1, 0 },
  { "km", "length", 1000, 0 },
  { "dm", "length", 0.1, 0 },
  { "cm", "length", 0.01, 0 },
  { "mm", "length", 0.001, 0 },
  { "um", "length", 1e-6, 0 },
  { "[in_i]", "length", 0.0254, 0 },
  { "[ft_i]", "length", 0.3048, 0 },
  { "[nmi_i]", "length", 1852, 0 },
  { "m2", "area", 1, 0 },
  { "km2", "area", 1e6, 0 },
  { "har", "area", 1e4, 0 },
  { "m3", "volume", 1, 0 },
  { "L", "volume", 0.001, 0 },
  { "l", "volume", 0.001, 0 },
  { "mL", "volume", 1e-6, 0 },
  /* Speeds: wind, rain in time. */
  { "m/s", "speed", 1, 0 },
  { "km/h", "speed", 1 / 3.6, 0 },
  { "cm/s", "speed", 0.01, 0 },
  { "m/h", "speed", 1 / 3600.0, 0 },
  { "mm/s", "speed", 0.001, 0 },
  { "mm/min", "speed", 0.001 / 60, 0 },
  { "mm/h", "speed", 0.001 / 3600, 0 },
  { "mm/d", "speed", 0.001 / 86400, 0 },
  { "[kn_i]", "speed", 1852 / 3600.0, 0 },
  { "m/s2", "acceleration", 1, 0 },
  { "[g]", "acceleration", 9.80665, 0 },
  { "Gal", "acceleration", 0.01, 0 },
  /* Temperatures. */
  { "K", "temperature", 1, 0 },
  { "Cel", "temperature", 1, 273.15 },
  { "[degF]", "temperature", 5 / 9.0, 273.15 - 32 * 5 / 9.0 },
  /* Shares: humidity, battery, concentration of gases by volume. */
  { "1", "ratio", 1, 0 },
  { "%", "ratio", 0.01, 0 },
  { "[ppth]", "ratio", 1e-3, 0 },
  { "[ppm]", "ratio", 1e-6, 0 },
  { "[ppb]", "ratio", 1e-9, 0 },
  { "%[LEL]", "explosive limit", 1, 0 },
  { "[pH]", "acidity", 1, 0 },
  /* Pressures. */
  { "Pa", "pressure", 1, 0 },
  { "hPa", "pressure", 100, 0 },
  { "kPa", "pressure", 1000, 0 },
  { "MPa", "pressure", 1e6, 0 },
  { "bar", "pressure", 1e5, 0 },
  { "mbar", "pressure", 100, 0 },
  { "atm", "pressure", 101325, 0 },
  { "mm[Hg]", "pressure", 133.322387415, 0 },
  { "m[H2O]", "pressure", 9806.65, 0 },
  { "[psi]", "pressure", 6894.757293168, 0 },
  /* Flows. */
  { "m3/s", "flow", 1, 0 },
  { "m3/h", "flow", 1 / 3600.0, 0 },
  { "m3/d", "flow", 1 / 86400.0, 0 },
  { "L/s", "flow", 0.001, 0 },
  { "L/min", "flow", 0.001 / 60, 0 },
  { "L/h", "flow", 0.001 / 3600, 0 },
  { "mL/min", "flow", 1e-6 / 60, 0 },
  /* Concentrations by mass, in air and in water; densities. */
  { "kg/m3", "concentration", 1, 0 },
  { "g/m3", "concentration", 1e-3, 0 },
  { "mg/m3", "concentration", 1e-6, 0 },
  { "ug/m3", "concentration", 1e-9, 0 },
  { "g/L", "concentration", 1, 0 },
  { "mg/L", "concentration", 1e-3, 0 },
  { "ug/L", "concentration", 1e-6, 0 },
  { "/m3", "number concentration", 1, 0 },
  { "/cm3", "number concentration", 1e6, 0 },
  { "[NTU]", "turbidity", 1, 0 },
  { "{NTU}", "turbidity", 1, 0 },
  /* Electricity. */
  { "V", "voltage", 1, 0 },
  { "mV", "voltage", 0.001, 0 },
  { "kV", "voltage", 1000, 0 },
  { "A", "current", 1, 0 },
  { "mA", "current", 0.001, 0 },
  { "Ohm", "resistance", 1, 0 },
  { "kOhm", "resistance", 1000, 0 },
  { "S/m", "conductivity", 1, 0 },
  { "mS/cm", "conductivity", 0.1, 0 },
  { "uS/cm", "conductivity", 1e-4, 0 },
  { "W", "power", 1, 0 },
  { "mW", "power", 0.001, 0 },
  { "kW", "power", 1000, 0 },
  { "MW", "power", 1e6, 0 },
  { "V.A", "apparent power", 1, 0 },
  { "kV.A", "apparent power", 1000, 0 },
  { "var", "reactive power", 1, 0 },
  { "J", "energy", 1, 0 },
  { "kJ", "energy", 1000, 0 },
  { "MJ", "energy", 1e6, 0 },
  { "W.h", "energy", 3600, 0 },
  { "kW.h", "energy", 3.6e6, 0 },
  { "MW.h", "energy", 3.6e9, 0 },
  { "A.h", "charge", 3600, 0 },
  { "mA.h", "charge", 3.6, 0 },
  /* Signals and sound: logarithms to their own reference can't be converted. */
  { "dB", "level", 1, 0 },
  { "dB[mW]", "power level", 1, 0 },
  { "dB[W]", "power level", 1, 30 },
  { "dB[SPL]", "sound level", 1, 0 },
  { "dB(A)", "weighted sound level", 1, 0 },
  { "dB[A]", "weighted sound level", 1, 0 },
  /* Light, radiation. */
  { "lx", "illuminance", 1, 0 },
  { "klx", "illuminance", 1000, 0 },
  { "W/m2", "irradiance", 1, 0 },
  { "umol/(m2.s)", "photon flux", 1, 0 },
  { "Sv", "dose", 1, 0 },
  { "uSv", "dose", 1e-6, 0 },
  { "uSv/h", "dose rate", 1e-6 / 3600, 0 },
  { "nSv/h", "dose rate", 1e-9 / 3600, 0 },
  /* Mass, force. */
  { "kg", "mass", 1, 0 },
  { "g", "mass", 0.001, 0 },
  { "mg", "mass", 1e-6, 0 },
  { "t", "mass", 1000, 0 },
  { "N", "force", 1, 0 },
  { "kN", "force", 1000, 0 },
  /* Angles: directions, positions, tilt. */
  { "rad", "angle", 1, 0 },
  { "mrad", "angle", 0.001, 0 },
  { "deg", "angle", 0.017453292519943295, 0 },
  { "'", "angle", 0.017453292519943295 / 60, 0 },
  { "deg/s", "angular speed", 0.017453292519943295, 0 },
  { "rad/s", "angular speed", 1, 0 },
  /* Times, rates. */
  { "s", "time", 1, 0 },
  { "ms", "time", 0.001, 0 },
  { "us", "time", 1e-6, 0 },
  { "min", "time", 60, 0 },
  { "h", "time", 3600, 0 },
  { "d", "time", 86400, 0 },
  { "Hz", "frequency", 1, 0 },
  { "kHz", "frequency", 1000, 0 },
  { "MHz", "frequency", 1e6, 0 },
  { "/s", "frequency", 1, 0 },
  { "/min", "frequency", 1 / 60.0, 0 },
  { "/h", "frequency", 1 / 3600.0, 0 },
  { "{rpm}", "frequency", 1 / 60.0, 0 },
  /* Data. */
  { "By", "data", 1, 0 },
  { "kBy", "data", 1000, 0 },
  { "bit/s", "data rate", 1, 0 },
  { NULL, NULL, 0, 0 },
};

/* What people write. */
static const struct {
  const char *written, *code;
} customary[] = {
  { "°C", "Cel" },      { "℃", "Cel" },      { "C", "Cel" },        { "celsius", "Cel" }, { "°F", "[degF]" }, { "°", "deg" },
  { "ppm", "[ppm]" },   { "ppb", "[ppb]" },  { "pH", "[pH]" },      { "%RH", "%" },       { "dBm", "dB[mW]" }, { "kWh", "kW.h" },
  { "Wh", "W.h" },      { "mg/m³", "mg/m3" }, { "µg/m³", "ug/m3" }, { "μg/m³", "ug/m3" }, { "m³/h", "m3/h" }, { "m³", "m3" },
  { "m³/s", "m3/s" },   { "µS/cm", "uS/cm" }, { "psi", "[psi]" },   { "lux", "lx" },      { "Ω", "Ohm" },     { "米", "m" },
  { "厘米", "cm" },     { "毫米", "mm" },    { "mmHg", "mm[Hg]" },  { "dBA", "dB(A)" },   { "kn", "[kn_i]" }, { "rpm", "{rpm}" },
  { "NTU", "[NTU]" },   { "%LEL", "%[LEL]" }, { "sec", "s" },       { "kPh", "km/h" },    { "kmh", "km/h" },  { "m²", "m2" },
};

const char *unit_suggestion (const char *code)
{
  for (guint i = 0; i < G_N_ELEMENTS (customary); i++)
    if (strcmp (customary[i].written, code) == 0)
      return customary[i].code;
  g_autoptr (GPtrArray) codes = g_ptr_array_new ();
  for (const UnitOfMeasure *unit = config_units; unit->code != NULL; unit++)
    g_ptr_array_add (codes, (gpointer) unit->code);
  return nearest_name (code, codes);
}
