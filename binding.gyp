{
  "variables": {
    "warnings_are_errors": ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wformat=2", "-Wstrict-prototypes",
      "-Wmissing-prototypes", "-Wconversion", "-Wsign-conversion", "-Wcast-qual", "-Wwrite-strings"],
    "hardening": ["-O2", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-fvisibility=hidden"],
    "hardened_link": ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,defs", "-Wl,-z,noexecstack"]
  },
  "targets": [
    {
      "target_name": "sallyport_addon",
      "type": "loadable_module",
      "sources": ["native/addon/addon.cc", "native/addon/arguments.cc", "native/addon/accounts.cc",
        "native/addon/local_accounts.cc",
        "native/addon/sources.cc", "native/addon/lookups.cc", "native/addon/system.cc", "native/addon/locks.cc",
        "native/addon/connections.cc", "native/addon/sealing.cc"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-Werror", "<@(hardening)"],
      "ldflags": ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,nodelete"]
    },
    {
      "target_name": "pam_sallyport",
      "type": "shared_library",
      "product_prefix": "",
      "product_extension": "so",
      "sources": ["native/module/pam_sallyport.c", "native/module/options.c", "native/module/conv.c",
        "native/module/wire.c", "native/module/conn.c", "native/module/context.c", "native/module/dialogue.c",
        "native/module/prompt.c", "native/module/terminal.c", "native/frames/codec.c", "native/frames/utf8.c"],
      "cflags": ["-std=c11", "-pedantic", "<@(warnings_are_errors)", "<@(hardening)"],
      "ldflags": ["<@(hardened_link)", "-Wl,--version-script=<(module_root_dir)/native/module/pam_sallyport.map"],
      "libraries": ["-lpam"]
    },
    {
      "target_name": "sallyport-demo",
      "type": "executable",
      "sources": ["native/demo/demo_login.c"],
      "cflags": ["-std=c11", "-pedantic", "-D_GNU_SOURCE", "<@(warnings_are_errors)", "<@(hardening)"],
      "ldflags": ["<@(hardened_link)"],
      "libraries": ["-lpam", "-lpam_misc"]
    },
    {
      "target_name": "sallyport-fido",
      "type": "executable",
      "sources": ["native/fido/main.c", "native/fido/session.c", "native/fido/workers.c", "native/fido/worker.c",
        "native/fido/ceremony.c", "native/fido/get_assertion.c", "native/fido/make_credential.c", "native/fido/key.c",
        "native/fido/devices.c", "native/fido/request.c", "native/fido/text.c", "native/frames/codec.c",
        "native/frames/stream.c", "native/frames/utf8.c"],
      "cflags": ["-std=c11", "-pedantic", "-pthread", "-fPIE", "<@(warnings_are_errors)", "<@(hardening)"],
      "ldflags": ["-pthread", "-pie", "<@(hardened_link)"],
      "libraries": ["-lfido2"]
    },
    {
      "target_name": "sallyport-password",
      "type": "executable",
      "sources": ["native/password/main.c", "native/password/peer.c", "native/password/request.c",
        "native/password/check.c", "native/password/account.c", "native/password/equal-work.c", "native/frames/codec.c",
        "native/frames/stream.c"],
      "cflags": ["-std=c11", "-pedantic", "-fPIE", "<@(warnings_are_errors)", "<@(hardening)"],
      "ldflags": ["-pie", "<@(hardened_link)"],
      "libraries": ["-lpam"]
    }
  ]
}
