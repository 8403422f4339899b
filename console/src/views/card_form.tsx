// What the two forms before anybody is signed in have in common: the product's mark and their fields.

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path class="mark-cells" d="M3 3h12v12H3zM17 3h12v12H17zM3 17h12v12H3z" />
      <path class="mark-lit" d="M17 17h12v12H17z" />
    </svg>
  )
}

interface FieldProps {
  label: string
  name: string
  type?: 'text' | 'password'
  autocomplete: string
  isFirst?: boolean
  value: string
  onValue: (value: string) => void
}

export function Field({ label, name, type = 'text', autocomplete, isFirst = false, value, onValue }: FieldProps) {
  return (
    <label>
      <span>{label}</span>
      <input name={name} type={type} autocomplete={autocomplete} required autofocus={isFirst} value={value}
        onInput={(event) => onValue(event.currentTarget.value)} />
    </label>
  )
}
