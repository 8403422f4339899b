// A line through the last values, as an SVG path; the values' own range fills the height.
export function trendPath(values: number[], width: number, height: number): string {
  if (values.length < 2) return ''
  const least = Math.min(...values)
  const range = Math.max(...values) - least
  const inner = height - 4
  return values
    .map((value, index) => {
      const x = (index / (values.length - 1)) * width
      const y = range === 0 ? height / 2 : 2 + inner - ((value - least) / range) * inner
      return `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`
    })
    .join('')
}
