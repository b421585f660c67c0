import { readPasted } from './link-token'
import { logIn, LoginError, type LoginProblem, type Me } from './login'

/** Logging in by a link's token or by the admin password, whichever somebody has. */
export class LoginForm {
  byPassword = $state(false)
  text = $state('')
  /** Also after a login that leads to another page. */
  working = $state(false)
  problem = $state<LoginProblem | 'bad' | null>(null)

  /** @param onentered `token` is '' after a password */
  constructor(private readonly onentered: (me: Me, token: string) => void) {}

  submit(): void {
    const read = this.byPassword ? null : readPasted(this.text)
    if (this.byPassword) void this.enter({ password: this.text })
    else if (read) void this.enter({ token: read.token })
    else this.problem = 'bad'
  }

  async enter(credentials: { token: string } | { password: string }): Promise<void> {
    this.working = true
    this.problem = null
    try {
      this.onentered(await logIn(credentials), 'token' in credentials ? credentials.token : '')
    } catch (error) {
      this.problem = error instanceof LoginError ? error.problem : 'unreachable'
      this.working = false
    }
  }

  /** From the token to the password, or back. */
  change(): void {
    this.byPassword = !this.byPassword
    this.text = ''
    this.problem = null
  }
}
