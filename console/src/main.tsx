import './style.css'
import { render } from 'preact'

render(<main>gridgate</main>, document.getElementById('console')!)
