const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const QUIET_MS = 2_000

/**
 * Shows what happens: one line per step with its time. On a terminal the running step has a spinner; in a log a step that
 * takes long says that it has begun.
 */
export function createProgress(out = process.stdout) {
  const isTerminal = out.isTTY === true && process.env.CI === undefined
  let running

  const clear = () => {
    if (isTerminal && running) out.write('\r\x1b[2K')
  }
  const draw = () => {
    if (!isTerminal || !running) return
    const frame = FRAMES[running.frame++ % FRAMES.length]
    out.write(`\r\x1b[2K${frame} ${running.title} ${seconds(running.startedAt)}`)
  }
  const report = (line) => {
    clear()
    out.write(`  ${line}\n`)
    draw()
  }
  const step = async (title, work) => {
    const current = { title, startedAt: Date.now(), frame: 0 }
    running = current
    draw()
    const spinner = isTerminal ? setInterval(draw, 100) : undefined
    const notice = isTerminal ? undefined : setTimeout(() => out.write(`  ${title} …\n`), QUIET_MS)
    try {
      const result = await work()
      clear()
      out.write(`✓ ${title} (${seconds(current.startedAt)})\n`)
      return result
    } catch (error) {
      clear()
      out.write(`✗ ${title} (${seconds(current.startedAt)})\n`)
      throw error
    } finally {
      clearInterval(spinner)
      clearTimeout(notice)
      running = undefined
    }
  }
  return { step, report }
}

const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`
