;; Logs "hi" as often as the i32 says that its message starts with, then answers nothing.
(module
  (import "caxton_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "hi")
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $pointer i32) (param i32) (result i64)
    (local $left i32)
    (local.set $left (i32.load (local.get $pointer)))
    (loop $again
      (call $log (i32.const 2) (i32.const 1024) (i32.const 2))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i64.const 0)))
