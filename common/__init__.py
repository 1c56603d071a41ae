from common.errors import interrupt_quietly_at_start

interrupt_quietly_at_start()
