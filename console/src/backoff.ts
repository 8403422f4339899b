// Waiting times between attempts: doubling, with jitter so that nine tiles don't knock at once after a restart.

export class Backoff {
  private attempt = 0

  constructor(
    private readonly firstMs = 500,
    private readonly mostMs = 15_000,
    private readonly random: () => number = Math.random,
  ) {}

  nextMs(): number {
    const whole = Math.min(this.mostMs, this.firstMs * 2 ** Math.min(this.attempt, 20))
    this.attempt++
    return Math.round(whole * (0.75 + 0.25 * this.random()))
  }

  reset(): void {
    this.attempt = 0
  }
}
